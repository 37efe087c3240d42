mod borders;
